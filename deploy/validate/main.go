// Command validate checks Kubernetes manifests as an API server with strict
// field validation does: every field must be one that the kind has, of its
// type, and none may be given twice.
//
//	go run . ../kubernetes
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// kinds are those that the manifests use.
var kinds = map[string]func() any{
	"v1/ConfigMap":                       func() any { return new(corev1.ConfigMap) },
	"v1/Secret":                          func() any { return new(corev1.Secret) },
	"v1/Service":                         func() any { return new(corev1.Service) },
	"v1/ServiceAccount":                  func() any { return new(corev1.ServiceAccount) },
	"apps/v1/Deployment":                 func() any { return new(appsv1.Deployment) },
	"networking.k8s.io/v1/NetworkPolicy": func() any { return new(networkingv1.NetworkPolicy) },
	"policy/v1/PodDisruptionBudget":      func() any { return new(policyv1.PodDisruptionBudget) },
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: validate DIRECTORY")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err == nil && len(files) == 0 {
		err = errors.New("no manifest is there")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	var problems []error
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for i, doc := range bytes.Split(text, []byte("\n---\n")) {
			what, err := decode(doc)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s, document %d: %w", name, i+1, err))
				continue
			}
			fmt.Printf("%s: %s\n", filepath.Base(name), what)
		}
	}
	return errors.Join(problems...)
}

func decode(doc []byte) (string, error) {
	var meta struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(doc, &meta); err != nil {
		return "", err
	}
	fresh, ok := kinds[meta.APIVersion+"/"+meta.Kind]
	if !ok {
		return "", fmt.Errorf("%s %s is of no kind that is known here", meta.APIVersion, meta.Kind)
	}
	if meta.Metadata.Name == "" {
		return "", fmt.Errorf("a %s has no name", meta.Kind)
	}
	return meta.Kind + " " + meta.Metadata.Name, yaml.UnmarshalStrict(doc, fresh())
}
