# `terraform test`: what the variables refuse, and what follows from them; no cloud is asked.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_ec2_instance_type_offerings" {
    defaults = { locations = ["us-east-2a", "us-east-2b", "us-east-2c"] }
  }
  mock_data "aws_eks_addon_version" {
    defaults = { version = "v1.2.3-eksbuild.1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  monthly_budget_usd = 1000
  budget_mails       = ["someone@example.com"]
}

run "defaults" {
  command = plan

  assert {
    condition     = alltrue([for name, group in aws_eks_node_group.this : (group.scaling_config[0].min_size == 0) == (name != "system")])
    error_message = "All groups but system are to scale to zero."
  }
  assert {
    condition     = [for name, group in aws_eks_node_group.this : name if length(group.taint) > 0] == ["collect", "train"]
    error_message = "Nodes with GPUs are to take only who tolerates them."
  }
  assert {
    condition     = length(aws_eks_node_group.this["train"].subnet_ids) == 1 && length(aws_launch_template.this["train"].network_interfaces) == 32
    error_message = "Training nodes are to lie in one zone, with all of their network cards."
  }
  assert {
    condition     = [for name, group in aws_eks_node_group.this : name if contains(keys(group.labels), "k8s.amazonaws.com/accelerator")] == ["collect", "train"]
    error_message = "The autoscaler is to know nodes that wait for their GPUs."
  }
  assert {
    condition     = alltrue([for addon in aws_eks_addon.this : addon.resolve_conflicts_on_create == "OVERWRITE"])
    error_message = "Add-ons are to take the place of what a new cluster brings by itself."
  }
  assert {
    condition     = jsondecode(aws_eks_addon.this["aws-ebs-csi-driver"].configuration_values).defaultStorageClass.enabled
    error_message = "Claims of volumes name no storage class, so there is to be a default one."
  }
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access == false
    error_message = "The cluster's API is to be private unless ranges are named."
  }
}

run "an_upgrade" {
  command = plan
  variables { kubernetes_version = "1.37" }
  assert {
    condition     = alltrue([for group in aws_eks_node_group.this : group.version == "1.37"])
    error_message = "Nodes are to follow the cluster's version."
  }
  assert {
    condition     = alltrue([for addon in data.aws_eks_addon_version.this : addon.kubernetes_version == "1.37"])
    error_message = "Add-ons are to follow the cluster's version."
  }
}

run "the_world_is_no_range" {
  command = plan
  variables { api_cidrs = ["0.0.0.0/0"] }
  expect_failures = [var.api_cidrs]
}

run "a_budget_is_above_zero" {
  command = plan
  variables { monthly_budget_usd = 0 }
  expect_failures = [var.monthly_budget_usd]
}

run "one_zone_is_too_few" {
  command = plan
  variables { zones = ["us-east-2a"] }
  expect_failures = [var.zones]
}

run "four_zones_are_too_many" {
  command = plan
  variables { zones = ["us-east-2a", "us-east-2b", "us-east-2c", "us-east-2d"] }
  expect_failures = [var.zones]
}

run "zones_without_the_machines" {
  command = plan
  variables {
    region = "eu-central-1"
    zones  = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  }
  expect_failures = [aws_eks_node_group.this]
}

run "zones_of_another_region" {
  command = plan
  variables { region = "us-east-1" }
  expect_failures = [var.zones]
}

run "a_network_that_is_too_small" {
  command = plan
  variables { vpc_cidr = "10.0.0.0/24" }
  expect_failures = [var.vpc_cidr]
}

run "a_group_of_gpus_that_never_sleeps" {
  command = plan
  variables {
    node_groups = {
      system  = { instance_types = ["m7i.2xlarge"], least = 3, most = 6, disk_gib = 100 }
      cpu     = { instance_types = ["c7i.8xlarge"], least = 0, most = 8, disk_gib = 500 }
      collect = { instance_types = ["g6.4xlarge"], least = 4, most = 8, disk_gib = 200, gpus = 1 }
      train   = { instance_types = ["p5.48xlarge"], least = 0, most = 8, disk_gib = 1000, gpus = 8, efa = 32 }
    }
  }
  expect_failures = [var.node_groups]
}
