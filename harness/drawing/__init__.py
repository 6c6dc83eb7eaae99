"""Drawing: ladders of one endpoint as text, ladder diagrams of whole sessions as text and as SVG.

descent.py draws one endpoint (failure messages), diagram.py builds the model of a session, text.py and
svg.py draw it. Nothing here may look at sockets or decide whether a ladder is right.
"""
