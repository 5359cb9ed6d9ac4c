"""The flows: which stage follows which, and where each runs. Each module is a flow or a part of one."""
