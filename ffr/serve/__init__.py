"""Studies come by the network or a folder, are analysed, and their results go back."""
