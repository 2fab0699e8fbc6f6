output "settings" {
  description = "The data of infra/kubernetes/overlays/production/settings.yaml."
  value = {
    region    = var.region
    artifacts = "s3://${aws_s3_bucket.this["artifacts"].id}/mlflow"
    backups   = "s3://${aws_s3_bucket.this["backups"].id}/postgres"
    s3-url    = "https://s3.${var.region}.amazonaws.com"
  }
}

output "registry" {
  description = "For `images/build.sh --push`."
  value       = trimsuffix(aws_ecr_repository.this["flow"].repository_url, "/flow")
}

output "roles" {
  description = "Annotations eks.amazonaws.com/role-arn of the add-ons' service accounts."
  value       = { for name, account in local.services : account => aws_iam_role.service[name].arn }
}

output "kubeconfig" {
  description = "The command that makes kubectl speak to the cluster."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${aws_eks_cluster.this.name}"
}
