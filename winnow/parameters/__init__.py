"""The parameters of flows, declared once for the Python call, the command, Prefect's form and its YAML."""
