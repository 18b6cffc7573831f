"""Pull mode on the host: a stdlib-only program, Python 3.6, that takes signed states and hands them to the agent.

It is a control side of its own: it says to the agent what a control machine would say. It imports only itself and a few of the
agent's modules, which travel with it (fleet/pull/program.py).
"""
