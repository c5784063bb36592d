"""What we learn of a trained model: samples, pictures, measures."""
