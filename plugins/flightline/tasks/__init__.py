"""The tasks of the Dags, one module a Dag: each turns Connections into arguments and calls `include/` once.

Heavy imports are in the bodies, because Dag files import these modules at every parse.
"""
