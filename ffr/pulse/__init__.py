"""What happens within a heart beat: waveforms, iFR, resting Pd/Pa, cycle-mean FFR."""
