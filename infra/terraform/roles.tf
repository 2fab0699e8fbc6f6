# Who may do what in AWS. Add-ons of the cluster take roles by their service accounts; the artefact store and the backups
# use keys, since they speak plain S3 to any server; the keys lie in Secrets Manager, and in Terraform's state: guard it.

locals {
  issuer = replace(aws_iam_openid_connect_provider.this.url, "https://", "")
  # role -> service account that takes it
  services = {
    ebs-csi          = "kube-system:ebs-csi-controller-sa"
    autoscaler       = "kube-system:cluster-autoscaler"
    external-secrets = "external-secrets:external-secrets"
  }
  secrets = toset(["prefect", "redis", "signing", "postgres-prefect", "postgres-mlflow"])
}

data "aws_iam_policy_document" "service_trust" {
  for_each = local.services

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.this.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["system:serviceaccount:${each.value}"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "service" {
  for_each           = local.services
  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.service_trust[each.key].json
}

resource "aws_iam_role_policy_attachment" "ebs_csi" {
  role       = aws_iam_role.service["ebs-csi"].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
}

data "aws_iam_policy_document" "autoscaler" {
  statement {
    actions = [
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLaunchConfigurations",
      "autoscaling:DescribeScalingActivities",
      "autoscaling:DescribeTags",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeLaunchTemplateVersions",
      "ec2:GetInstanceTypesFromInstanceRequirements",
      "eks:DescribeNodegroup",
    ]
    resources = ["*"]
  }
  statement {
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/eks:cluster-name"
      values   = [var.name]
    }
  }
}

resource "aws_iam_role_policy" "autoscaler" {
  name   = "scale-node-groups"
  role   = aws_iam_role.service["autoscaler"].id
  policy = data.aws_iam_policy_document.autoscaler.json
}

data "aws_iam_policy_document" "read_secrets" {
  statement {
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = ["arn:${data.aws_partition.this.partition}:secretsmanager:${var.region}:${data.aws_caller_identity.this.account_id}:secret:backsight/*"]
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "read_secrets" {
  name   = "read-secrets"
  role   = aws_iam_role.service["external-secrets"].id
  policy = data.aws_iam_policy_document.read_secrets.json
}

# One user a bucket. Their keys are made here and never shown; rotate with -replace='aws_iam_access_key.bucket["..."]'.
resource "aws_iam_user" "bucket" {
  for_each = local.buckets
  name     = "${var.name}-${each.key}"
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  statement {
    actions   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.this[each.key].arn]
  }
  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    resources = ["${aws_s3_bucket.this[each.key].arn}/*"]
  }
  statement {
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_user_policy" "bucket" {
  for_each = local.buckets
  name     = "own-bucket"
  user     = aws_iam_user.bucket[each.key].name
  policy   = data.aws_iam_policy_document.bucket[each.key].json
}

resource "aws_iam_access_key" "bucket" {
  for_each = local.buckets
  user     = aws_iam_user.bucket[each.key].name
}

resource "aws_secretsmanager_secret" "s3" {
  name                    = "backsight/s3"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = var.deletable ? 0 : 30
}

resource "aws_secretsmanager_secret_version" "s3" {
  secret_id = aws_secretsmanager_secret.s3.id
  secret_string = jsonencode({
    BACKSIGHT_S3_ENDPOINT   = "s3.${var.region}.amazonaws.com"
    BACKSIGHT_S3_BUCKET     = aws_s3_bucket.this["artifacts"].id
    BACKSIGHT_S3_SECURE     = "true"
    BACKSIGHT_S3_ACCESS_KEY = aws_iam_access_key.bucket["artifacts"].id
    BACKSIGHT_S3_SECRET_KEY = aws_iam_access_key.bucket["artifacts"].secret
  })
}

resource "aws_secretsmanager_secret" "backup" {
  name                    = "backsight/backup"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = var.deletable ? 0 : 30
}

resource "aws_secretsmanager_secret_version" "backup" {
  secret_id = aws_secretsmanager_secret.backup.id
  secret_string = jsonencode({
    access-key = aws_iam_access_key.bucket["backups"].id
    secret-key = aws_iam_access_key.bucket["backups"].secret
  })
}

# These are filled by a person or another tool (docs/cluster.md says with what), so that they are in no Terraform state.
resource "aws_secretsmanager_secret" "generated" {
  for_each                = local.secrets
  name                    = "backsight/${each.key}"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = var.deletable ? 0 : 30
}
