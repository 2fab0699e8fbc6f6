# Node groups. The label backsight.dev/nodes is what Kueue's flavours go by; GPU nodes take only who tolerates them.
# By the label k8s.amazonaws.com/accelerator the autoscaler knows a node whose GPUs are yet to come up, and orders no more.

locals {
  ami_types = { for name, group in var.node_groups : name => group.gpus > 0 ? "AL2023_x86_64_NVIDIA" : "AL2023_x86_64_STANDARD" }
  # A training must not be spread: its group lives in one zone.
  node_zones = { for name, group in var.node_groups : name => group.efa > 0 ? slice(var.zones, 0, 1) : var.zones }
}

# Not every zone has every type of machine, and EKS would say so only after a quarter of an hour.
data "aws_ec2_instance_type_offerings" "this" {
  for_each      = var.node_groups
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = each.value.instance_types
  }
  filter {
    name   = "location"
    values = local.node_zones[each.key]
  }
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = data.aws_iam_policy_document.assumed_by["ec2"].json
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each   = toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"])
  role       = aws_iam_role.node.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/${each.key}"
}

resource "aws_placement_group" "train" {
  for_each = var.train_placement ? { for name, group in var.node_groups : name => group if group.efa > 0 } : {}
  name     = "${var.name}-${each.key}"
  strategy = "cluster"
}

# EFA moves data between GPUs past the kernel, and does so only within one security group that allows itself everything.
resource "aws_security_group" "efa" {
  name        = "${var.name}-efa"
  description = "Training nodes among themselves"
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.name}-efa" }
}

resource "aws_vpc_security_group_ingress_rule" "efa" {
  security_group_id            = aws_security_group.efa.id
  referenced_security_group_id = aws_security_group.efa.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "efa" {
  security_group_id            = aws_security_group.efa.id
  referenced_security_group_id = aws_security_group.efa.id
  ip_protocol                  = "-1"
}

resource "aws_launch_template" "this" {
  for_each = var.node_groups
  name     = "${var.name}-${each.key}"

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size           = each.value.disk_gib
      volume_type           = "gp3"
      encrypted             = "true"
      delete_on_termination = "true"
    }
  }

  # Pods cannot reach the node's own credentials: one hop ends at the node.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  dynamic "network_interfaces" {
    for_each = range(each.value.efa)
    content {
      device_index          = network_interfaces.value == 0 ? 0 : 1
      network_card_index    = network_interfaces.value
      interface_type        = network_interfaces.value == 0 ? "efa" : "efa-only"
      security_groups       = [aws_eks_cluster.this.vpc_config[0].cluster_security_group_id, aws_security_group.efa.id]
      delete_on_termination = "true"
    }
  }

  dynamic "placement" {
    for_each = each.value.efa > 0 && var.train_placement ? [aws_placement_group.train[each.key].name] : []
    content {
      group_name = placement.value
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(var.tags, { Name = "${var.name}-${each.key}" })
  }
}

resource "aws_eks_node_group" "this" {
  for_each        = var.node_groups
  cluster_name    = aws_eks_cluster.this.name
  version         = aws_eks_cluster.this.version
  node_group_name = each.key
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [for zone in local.node_zones[each.key] : aws_subnet.private[zone].id]
  instance_types  = each.value.instance_types
  ami_type        = local.ami_types[each.key]
  capacity_type   = each.value.spot ? "SPOT" : "ON_DEMAND"
  labels = merge(
    { "backsight.dev/nodes" = each.key },
    each.value.gpus > 0 ? { "k8s.amazonaws.com/accelerator" = "nvidia" } : {},
  )

  scaling_config {
    min_size     = each.value.least
    max_size     = each.value.most
    desired_size = each.value.least
  }

  launch_template {
    id      = aws_launch_template.this[each.key].id
    version = aws_launch_template.this[each.key].latest_version
  }

  dynamic "taint" {
    for_each = each.value.gpus > 0 ? [1] : []
    content {
      key    = "nvidia.com/gpu"
      value  = "true"
      effect = "NO_SCHEDULE"
    }
  }

  # How many there are now is the autoscaler's to say. It learns from these tags what a group that has no node would
  # offer; without them a group at zero is never grown.
  tags = merge(
    {
      "k8s.io/cluster-autoscaler/enabled"                                   = "true"
      "k8s.io/cluster-autoscaler/${var.name}"                               = "owned"
      "k8s.io/cluster-autoscaler/node-template/label/backsight.dev/nodes"   = each.key
      "k8s.io/cluster-autoscaler/node-template/resources/ephemeral-storage" = "${each.value.disk_gib}Gi"
    },
    each.value.gpus > 0 ? {
      "k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/gpu" = tostring(each.value.gpus)
      "k8s.io/cluster-autoscaler/node-template/taint/nvidia.com/gpu"     = "true:NoSchedule"
    } : {},
  )

  # Nobody logs in to nodes, so remote access is not ours to set.
  lifecycle {
    ignore_changes = [scaling_config[0].desired_size, remote_access]

    precondition {
      condition     = length(setsubtract(local.node_zones[each.key], data.aws_ec2_instance_type_offerings.this[each.key].locations)) == 0
      error_message = "AWS has none of ${join(", ", each.value.instance_types)} in some of the zones of the group ${each.key} (${join(", ", local.node_zones[each.key])}): choose other zones, another region, or other machines in node_groups."
    }
  }

  # A node joins only where its way out stands, by which it pulls its images.
  depends_on = [aws_iam_role_policy_attachment.node, aws_route.nat, aws_route.out, aws_route_table_association.private]
}
