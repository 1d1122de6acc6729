"""The vocabularies in which a loss can be read; `lossary.dispatch` picks one."""
