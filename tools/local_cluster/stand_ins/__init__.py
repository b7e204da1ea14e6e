"""The programs inside the stand-in images: they play Aware's own, and say so.

They run on Debian's Python and its standard library, with psycopg2 in the API; nothing else of
this project is in the images, so they import nothing of it.
"""
