"""How a run is shown: one HTML file made from a result document, without any framework.

`reports.render` has the two functions that others call; importing this package alone costs nothing.
"""
