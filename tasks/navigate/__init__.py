"""Closed-loop navigation: habitat-lab's own `Env` over our simulators, agents that act in it, and their scores."""
