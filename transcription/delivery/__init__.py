"""Messages to other people's servers: where they may go, how they are signed, what answers mean.

Knows no Django: everything here is a function of plain arguments, besides the one that connects.
"""
