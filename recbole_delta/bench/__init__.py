"""Many runs and one report: data sets × models × settings × seeds, compared."""
