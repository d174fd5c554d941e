"""Everything that ``import recbole_delta`` changes in RecBole and in the process.

The three lists here are what to go through when RecBole changes; tests hold them against the code.
:mod:`~recbole_delta.integration.compat` fixes RecBole 1.2.1 for a current stack,
:mod:`~recbole_delta.integration.register` makes our models known to it,
:mod:`~recbole_delta.integration.case_study` lets its case study answer over our data sets.
"""

OVERRIDDEN = {
    "config.configurator.Config._build_yaml_loader": "reads YAML by the safe loader, 1e-3 a number",
    "config.configurator.Config._update_internal_config_dict": "packaged YAML is parsed once",
    "config.configurator.Config._convert_config_dict": "values stay as they are, never evaluated",
    "config.configurator.Config._load_cmd_line": "sys.argv belongs to the program, not to a run",
    "config.configurator.Config._load_config_files": "errors name the file; several files merge",
    "config.configurator.Config._get_model_and_dataset": "an unknown model is named",
    "config.configurator.Config._set_default_parameters": "metrics are checked first",
    "config.configurator.Config._init_device": "gpu_id would overwrite CUDA_VISIBLE_DEVICES",
    "data.dataset.dataset.Dataset._load_data": "files are checked; ids become codes",
    "data.dataset.dataset.Dataset._load_feat": "ten million rows by polars; faults name the line",
    "data.dataset.dataset.Dataset._get_load_and_unload_col": "split and is_cold are always loaded",
    "data.dataset.dataset.Dataset._data_filtering": "filters would change the prepared split",
    "data.dataset.dataset.Dataset._remap_ID_all": "warm items are numbered 1 .. n_warm",
    "data.dataset.dataset.Dataset._data_processing": "split and is_cold never reach a model",
    "data.dataset.sequential_dataset.SequentialDataset._change_feat_format": "prefixes and windows "
    "are slices of one flat array, not a copied row each",
    "trainer.trainer.Trainer._build_optimizer": "fused Adam; RowAdam where steps see few rows",
    "trainer.trainer.Trainer._train_epoch": "our training step, with the projection in it",
    "trainer.trainer.Trainer._check_nan": "a NaN loss is one sentence, with the epoch",
    "trainer.trainer.Trainer._save_checkpoint": "safetensors and JSON instead of pickle",
}
"""Private methods of RecBole (below ``recbole.``) that our classes override, and why."""

CALLED = (
    "data.dataset.dataset.Dataset._build_feat_name_list",
    "data.dataset.dataset.Dataset._create_sparse_matrix",
    "data.dataset.dataset.Dataset._del_col",
    "data.dataset.dataset.Dataset._get_remap_list",
    "data.dataset.dataset.Dataset._remap",
    "data.dataset.sequential_dataset.SequentialDataset._aug_presets",
    "trainer.trainer.Trainer._valid_epoch",
)
"""Private names of RecBole (below ``recbole.``) that our code calls besides those."""

REPLACED = {
    "recbole.config.Config._load_internal_config_dict": "our defaults, for our models",
    "recbole.quick_start.load_data_and_model": "our checkpoints are safetensors",
    "recbole.trainer.<Model>Trainer": "where RecBole looks for the trainer of each of our models",
    "recbole.data.dataset.<Model>Dataset": "where RecBole looks for the data set of each",
    "recbole.model.sequential_recommender.<model>": "where RecBole looks for it (sys.modules)",
    "recbole.evaluator.register.metrics_dict": "names of the cold and warm metrics are added",
    "recbole.evaluator.register.metric_information": "names of the cold and warm metrics are added",
    "recbole.evaluator.register.metric_types": "names of the cold and warm metrics are added",
    "recbole.trainer.trainer.torch": "the trainer reloads the pickle it wrote itself, no other",
    "recbole.trainer.hyper_tuning.np": "hyperopt 0.3 draws from a Generator; np.str is gone",
    "recbole.utils.case_study.full_sort_scores": "one row a user, of several test cases",
    "numpy.bool8": "RecBole and ray read this alias, which NumPy 2 removed",
    "numpy.float_": "RecBole reads this alias, which NumPy 2 removed",
    "numpy.complex_": "RecBole reads this alias, which NumPy 2 removed",
    "numpy.unicode_": "RecBole reads this alias, which NumPy 2 removed",
    "scipy.sparse.dok_matrix._update": "graph models call it; SciPy 1.14 removed it",
    "torchaudio._extension": "a stand-in beside a CPU build of torch only (sys.modules)",
    "ray, ray.tune": "stand-ins while RecBole is imported, then gone (sys.modules)",
    "torch.autograd anomaly detection": "RecBole's SINE switches it on; it is put back",
    "warnings": "FutureWarnings of recbole are not shown",
}
"""Names in RecBole and elsewhere that have another value afterwards, and why."""
