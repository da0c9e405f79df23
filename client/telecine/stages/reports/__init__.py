"""What can be said of a job from the manifests of its stages."""
