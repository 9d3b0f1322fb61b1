"""Whole experiments of the papers: every row trained, evaluated, judged, and set beside what the paper says."""
