"""Terms beside a loss that keep a model small: functions of its parameters, not of its predictions."""
