"""How Winnow runs from a Prefect server: deployments, work pools, automations, and recipes for workers."""
