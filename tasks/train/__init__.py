"""Stage `train`: one phase of the network's training (geometry, pretrain, finetune, joint) over one or more ranks."""
