"""Analysis of trained models: samples, pictures, measures."""
