"""What flows are told: one declaration for the Python call, the command's flags, Prefect's form and its YAML."""
