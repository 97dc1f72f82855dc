"""What the features and the models are good for, measured: each study prints a table and writes the same figures as JSON.

One file a study; what studies share is in `measures`, and `results` renders what they wrote.
"""
