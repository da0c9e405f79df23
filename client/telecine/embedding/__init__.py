"""How a program of ours is started beside this one: its Python, its private directory, its address."""
