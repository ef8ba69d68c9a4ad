"""How well this machine is: readings, the honest score, the steady status, symptoms and forecasts.

Refuses to act: healing does that, from symptoms that cross by value.
"""
