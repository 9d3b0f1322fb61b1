"""The studio: a local web application over `api`. `server` answers the browser, `worker` does the work in a process of its own, and all
that lasts is files in the project's folder.
"""
