"""How good a bundle is: answers on labelled clips and trials, measures with intervals, plots, RESULTS.md."""
