package deploy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// manifests are what kubernetes.yaml has.
type manifests struct {
	deployment apps.Deployment
	service    core.Service
	budget     policy.PodDisruptionBudget
}

// readManifests decodes the file, and accepts no field that the API does not have.
func readManifests(t *testing.T) (m manifests) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "kubernetes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[v1.TypeMeta]any{
		{APIVersion: "apps/v1", Kind: "Deployment"}:            &m.deployment,
		{APIVersion: "v1", Kind: "Service"}:                    &m.service,
		{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}: &m.budget,
	}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		var kind v1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			t.Fatal(err)
		}
		if targets[kind] == nil {
			t.Fatalf("there is a %+v", kind)
		}
		if err := yaml.UnmarshalStrict(document, targets[kind]); err != nil {
			t.Errorf("%s: %v", kind.Kind, err)
		}
		delete(targets, kind)
	}
	if len(targets) > 0 {
		t.Fatalf("without %v", targets)
	}
	return m
}

// option is the value of an option among arguments.
func option(t *testing.T, args []string, name string) string {
	t.Helper()
	i := slices.Index(args, name)
	if i < 0 {
		t.Fatalf("%q is without %s", args, name)
	}
	return args[i+1]
}

// TestKubernetes: the manifests are of the API, and fit one another.
func TestKubernetes(t *testing.T) {
	m := readManifests(t)
	pod := m.deployment.Spec.Template
	set := labels.Set(pod.Labels)
	for what, selector := range map[string]map[string]string{
		"Deployment": m.deployment.Spec.Selector.MatchLabels, "Service": m.service.Spec.Selector, "PodDisruptionBudget": m.budget.Spec.Selector.MatchLabels,
	} {
		if len(selector) == 0 || !labels.SelectorFromSet(selector).Matches(set) {
			t.Errorf("%s selects %v, and pods have %v", what, selector, set)
		}
	}
	c := pod.Spec.Containers[0]
	ports := make(map[string]string)
	for _, port := range c.Ports {
		ports[port.Name] = option(t, c.Args, map[string]string{"http": "--bind", "admin": "--admin"}[port.Name])
		if want := fmt.Sprintf("[::]:%d", port.ContainerPort); ports[port.Name] != want {
			t.Errorf("port %s is %d, and weir listens at %s", port.Name, port.ContainerPort, ports[port.Name])
		}
	}
	for _, name := range []string{m.service.Spec.Ports[0].TargetPort.StrVal, c.ReadinessProbe.HTTPGet.Port.StrVal, c.LivenessProbe.HTTPGet.Port.StrVal} {
		if ports[name] == "" {
			t.Errorf("no port is called %q", name)
		}
	}
	for _, mount := range c.VolumeMounts {
		if !slices.ContainsFunc(pod.Spec.Volumes, func(v core.Volume) bool { return v.Name == mount.Name }) {
			t.Errorf("there is no volume %s", mount.Name)
		}
	}
}

// TestPeriods: what ends has the time that it takes. Requests and, after them, Python's workers may take --graceful-timeout each.
func TestPeriods(t *testing.T) {
	pod := readManifests(t).deployment.Spec.Template.Spec
	graceful, err := time.ParseDuration(option(t, pod.Containers[0].Args, "--graceful-timeout"))
	if err != nil {
		t.Fatal(err)
	}
	stop := time.Duration(pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
	all := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	if stop <= 0 || stop+2*graceful >= all {
		t.Errorf("preStop takes %v, weir twice %v, and there are %v", stop, graceful, all)
	}
}

// TestProbes: a weir with the container's arguments answers the probes.
func TestProbes(t *testing.T) {
	c := readManifests(t).deployment.Spec.Template.Spec.Containers[0]
	s := start(t, false, slices.Concat([]string{"run", "hello:app", "--chdir", "../../examples/wsgi"}, c.Args[1:])...)
	for _, probe := range []*core.Probe{c.ReadinessProbe, c.LivenessProbe} {
		if status := s.ask(s.admin + probe.HTTPGet.Path); status != 200 {
			t.Errorf("%s: %d", probe.HTTPGet.Path, status)
		}
	}
	s.stop(syscall.SIGTERM)
}
