"""Where the weights of the models come from; knows no Django."""
