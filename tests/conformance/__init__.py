"""The parts of the gate."""
