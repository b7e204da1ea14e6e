"""One file per thing an operator asks for. Each looks, decides, acts and looks again.

Operations get ports and settings as arguments and return frozen data; they print nothing.
"""
