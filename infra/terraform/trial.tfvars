# For an emulator of AWS (moto): what it does not have is left out, and all can be deleted again.
# Not there in moto 5.2: EKS add-ons, placement groups, tags of budgets; its launch templates show tags that are not theirs.
addons             = []
train_placement    = false
monthly_budget_usd = null
budget_mails       = ["nobody@example.com"]
tags               = {}
deletable          = true
