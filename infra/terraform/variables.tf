variable "name" {
  description = "Name of the cluster, and the beginning of all other names."
  type        = string
  default     = "backsight"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,24}[a-z0-9]$", var.name))
    error_message = "Give 3 to 26 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "AWS region; GPUs decide it: not every one has p5."
  type        = string
  default     = "us-east-2"
}

variable "kubernetes_version" {
  description = "Version of EKS. The manifests are checked against 1.36."
  type        = string
  default     = "1.36"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version)) && tonumber(split(".", var.kubernetes_version)[1]) >= 33
    error_message = "Give 1.33 or newer: earlier ones lack what the Jobs use (backoffLimitPerIndex, podReplacementPolicy)."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the network, a /16 to /18: every pod takes one."
  type        = string
  default     = "10.64.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 18
    error_message = "Give an IPv4 range of /16 to /18."
  }
}

variable "zones" {
  description = "Availability zones. The first holds all training nodes: the fast network does not cross zones."
  type        = list(string)
  default     = ["us-east-2a", "us-east-2b", "us-east-2c"]

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 3 && length(distinct(var.zones)) == length(var.zones)
    error_message = "Give two or three different zones: EKS wants two, and a quarter of the network is each one's, the last all public subnets'."
  }
  validation {
    condition     = alltrue([for zone in var.zones : startswith(zone, var.region)])
    error_message = "The zones lie in another region than var.region: give both."
  }
}

variable "api_cidrs" {
  description = "Who may reach the cluster's API from outside; empty = only from within the network."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.api_cidrs : can(cidrnetmask(cidr)) && cidr != "0.0.0.0/0"])
    error_message = "Give IPv4 ranges; not the whole world (0.0.0.0/0)."
  }
}

variable "node_groups" {
  description = "Groups of nodes by purpose. All but `system` scale to zero."
  type = map(object({
    instance_types = list(string)
    least          = number
    most           = number
    disk_gib       = number
    spot           = optional(bool, false)
    gpus           = optional(number, 0)
    efa            = optional(number, 0)
  }))
  default = {
    system  = { instance_types = ["m7i.2xlarge"], least = 3, most = 6, disk_gib = 100 }
    cpu     = { instance_types = ["m7i.8xlarge", "m6i.8xlarge"], least = 0, most = 8, disk_gib = 1000 }
    collect = { instance_types = ["g6.4xlarge", "g5.4xlarge"], least = 0, most = 100, disk_gib = 200, spot = true, gpus = 1 }
    train   = { instance_types = ["p5.48xlarge"], least = 0, most = 8, disk_gib = 1000, gpus = 8, efa = 32 }
  }

  validation {
    condition     = length(setsubtract(["system", "cpu", "collect", "train"], keys(var.node_groups))) == 0
    error_message = "The groups system, cpu, collect and train are all needed: the queues name them."
  }
  validation {
    condition     = alltrue([for name, group in var.node_groups : group.least >= 0 && group.most >= max(1, group.least)])
    error_message = "Of each group, 0 <= least <= most and most >= 1."
  }
  validation {
    condition     = alltrue([for name, group in var.node_groups : (name == "system") != (group.least == 0)])
    error_message = "The group system must keep nodes (least >= 1), all others must scale to zero (least = 0)."
  }
  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.efa == 0 || length(group.instance_types) == 1])
    error_message = "A group with EFA takes one instance type: its network cards belong to the launch template."
  }
  validation {
    condition     = alltrue([for group in values(var.node_groups) : contains([0, 1, 2, 4, 8, 16], group.gpus)])
    error_message = "gpus is the number of GPUs of one node: 0, 1, 2, 4, 8 or 16."
  }
}

variable "addons" {
  description = "EKS add-ons; their versions are EKS's default for the cluster's version. Empty where something else brings them."
  type        = set(string)
  default     = ["vpc-cni", "kube-proxy", "coredns", "aws-ebs-csi-driver"]
}

variable "train_placement" {
  description = "Whether training nodes are placed close together (a cluster placement group)."
  type        = bool
  default     = true
}

variable "nat_per_zone" {
  description = "A NAT gateway in every zone; false = one for all, which is cheaper and dies with its zone."
  type        = bool
  default     = true
}

variable "keep_days" {
  description = "Days for which overwritten and deleted objects can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_days >= 1 && var.keep_days <= 365
    error_message = "Give 1 to 365 days."
  }
}

variable "monthly_budget_usd" {
  description = "Dollars a month, of which 50, 80 and 100 % are announced; null only where the account has a budget of its own."
  type        = number

  validation {
    condition     = var.monthly_budget_usd == null ? true : var.monthly_budget_usd > 0
    error_message = "Give a sum above zero: a cluster with GPUs and no budget is a surprise."
  }
}

variable "budget_mails" {
  description = "Who hears of the budget."
  type        = list(string)

  validation {
    condition     = length(var.budget_mails) > 0 && alltrue([for mail in var.budget_mails : can(regex("^[^@ ]+@[^@ ]+$", mail))])
    error_message = "Give at least one mail address."
  }
}

variable "tags" {
  description = "Tags of everything that has tags: by these costs are told apart."
  type        = map(string)
  default     = { project = "backsight", made-by = "terraform" }
}

variable "deletable" {
  description = "Whether `destroy` may delete buckets and registries with what they hold. For trials only."
  type        = bool
  default     = false
}
