"""What every other room stands on: errors, spec, lake, history, model files, evidence. It uses none of them."""
