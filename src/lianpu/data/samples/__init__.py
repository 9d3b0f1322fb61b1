"""The embedded data: opera masks drawn from rules (`masks`)."""
