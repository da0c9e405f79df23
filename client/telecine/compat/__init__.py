"""Telecine behind the names that other tools use already: one module a tool, each an extra of its own.

Nothing here is imported by `import telecine`, and no module imports its tool before it is used.
"""
