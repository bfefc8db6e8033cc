package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// Job says how a campaign's units are run elsewhere: a cluster runs Command with
// `--unit K --campaign DIR` behind it for every unit K. A unit gives the same file wherever
// it runs.
type Job struct {
	Name string
	// Command with what names the campaign: libos sim lab.toml --set … --seeds …
	Command []string
	// Dir is where results go, as the jobs see it.
	Dir string
	// PerIndex is how many units one index runs, one after the other; 0 is 1.
	PerIndex int
	// Parallel is how many indices run at once; 0 leaves it to the cluster.
	Parallel int
	// Image and Claim are for Kubernetes: the container's image, which has the
	// command and the files that it reads, and the volume claim that is mounted at
	// Dir, from the root of the file system if it is relative.
	Image, Claim string
}

func (j *Job) check() error {
	switch {
	case len(j.Command) == 0:
		return errors.New("job: there is no command")
	case j.Dir == "":
		return errors.New("job: there is no directory for the results: name one")
	case j.PerIndex < 0 || j.Parallel < 0:
		return errors.New("job: units of an index and indices at once are not negative")
	}
	return nil
}

func (j *Job) name(c *Campaign) string {
	name := j.Name
	if name == "" {
		name = c.Name
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	if name = strings.Trim(name[:min(len(name), 50)], "-"); name == "" { // RFC 1123 labels
		return "campaign"
	}
	return name
}

// indices of the job, and units of each.
func (j *Job) indices(c *Campaign) (indices, each int) {
	each = max(1, j.PerIndex)
	return (c.Len() + each - 1) / each, each
}

// Slurm writes an array script for sbatch.
func Slurm(w io.Writer, c *Campaign, j Job) error {
	if err := errors.Join(c.Check(), j.check()); err != nil {
		return err
	}
	indices, each := j.indices(c)
	array := "0-" + strconv.Itoa(indices-1)
	if j.Parallel > 0 {
		array += "%" + strconv.Itoa(j.Parallel)
	}
	var words []string
	for _, s := range j.Command {
		words = append(words, quote(s))
	}
	_, err := fmt.Fprintf(w, `#!/bin/bash
#SBATCH --job-name=%s
#SBATCH --array=%s
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
# %d units, %d an index. Indices that failed or were lost can be submitted again:
# a unit gives the same file every time.
set -eu
first=$((SLURM_ARRAY_TASK_ID * %d))
for ((unit = first; unit < first + %d && unit < %d; unit++)); do
	%s --unit "$unit" --campaign %s
done
`, j.name(c), array, c.Len(), each, each, each, c.Len(), strings.Join(words, " "), quote(j.Dir))
	return err
}

// quote is s as one word of a shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Kubernetes writes the manifest of an Indexed Job, in JSON, for kubectl create -f.
// Its container gets the unit as an argument and needs no shell. PerIndex is 1.
func Kubernetes(w io.Writer, c *Campaign, j Job) error {
	if err := errors.Join(c.Check(), j.check()); err != nil {
		return err
	}
	switch {
	case j.Image == "":
		return errors.New("job: a Kubernetes job needs the image of a container that has the command")
	case j.PerIndex > 1:
		return errors.New("job: an index of a Kubernetes job runs one unit")
	}
	parallel := j.Parallel
	if parallel == 0 {
		parallel = min(c.Len(), 100)
	}
	type object = map[string]any
	dir := j.Dir
	if j.Claim != "" { // volumes are mounted from the root, whatever directory the image begins in
		dir = path.Join("/", dir)
	}
	command := []string{}
	for _, s := range append(append([]string{}, j.Command...), "--campaign", dir, "--unit") {
		command = append(command, strings.ReplaceAll(s, "$", "$$")) // $(…) would be replaced
	}
	container := object{
		"name":    "unit",
		"image":   j.Image,
		"command": append(command, "$(UNIT)"),
		"env": []object{{"name": "UNIT", "valueFrom": object{"fieldRef": object{
			"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}}},
		"resources": object{"requests": object{"cpu": "1"}},
	}
	pod := object{"restartPolicy": "Never", "containers": []object{container}}
	if j.Claim != "" {
		container["volumeMounts"] = []object{{"name": "results", "mountPath": dir}}
		pod["volumes"] = []object{{"name": "results", "persistentVolumeClaim": object{"claimName": j.Claim}}}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(object{
		"apiVersion": "batch/v1",
		"kind":       "Job",
		"metadata":   object{"name": j.name(c)},
		"spec": object{
			"completionMode":       "Indexed",
			"completions":          c.Len(),
			"parallelism":          parallel,
			"backoffLimitPerIndex": 2,
			"template":             object{"spec": pod},
		},
	})
}
