"""What runs on a host: facts, checks and changes, one program, standard library only, Python 3.6 to 3.13.

It imports nothing but itself; `fleet/bootstrap.py` joins its modules into the text that the control side sends.
"""
