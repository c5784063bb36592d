"""Networks with an energy: Hopfield nets and Boltzmann machines."""
