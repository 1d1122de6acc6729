"""From a call to its number: inputs made ready, a path chosen, values evaluated and reduced."""
