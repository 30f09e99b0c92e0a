"""Citizens' feedback: cases, states, deadlines."""
