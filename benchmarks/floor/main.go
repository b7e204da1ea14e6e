// The floor upgrades many releases with the Helm SDK in one process: what an upgrade costs when
// nothing but Helm's own work is done. It does not wait for pods and does not look at the result.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/kube"
)

const (
	historyMax = 5
	// A floor should not collect garbage more often than it has to.
	gcPercent = 400
)

// item is one release and the file of its values.
type item struct{ release, values string }

func main() {
	list := flag.String("list", "", "file with a release and its values file a line, tab between")
	chartPath := flag.String("chart", "", "folder of the chart of all releases")
	namespace := flag.String("namespace", "", "namespace of all releases")
	workers := flag.Int("workers", 10, "upgrades at the same time")
	flag.Parse()
	debug.SetGCPercent(gcPercent)
	if err := run(*list, *chartPath, *namespace, *workers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(list, chartPath, namespace string, workers int) error {
	items, err := readItems(list)
	if err != nil {
		return err
	}
	loaded, err := loader.Load(chartPath)
	if err != nil {
		return err
	}
	// Another name would make the next upgrade by helm a conflict on every field.
	kube.ManagedFieldsManager = "helm"
	settings := cli.New()
	settings.SetNamespace(namespace)
	// One process does what many would: the limit that is meant for one of them does not fit.
	settings.QPS = -1

	queue := make(chan item)
	failures := make(chan error, len(items))
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { work(settings, loaded, queue, failures) })
	}
	for _, each := range items {
		queue <- each
	}
	close(queue)
	group.Wait()
	close(failures)
	var all []error
	for failure := range failures {
		all = append(all, failure)
	}
	return errors.Join(all...)
}

func work(settings *cli.EnvSettings, loaded *chart.Chart, queue <-chan item, failures chan<- error) {
	config := action.NewConfiguration()
	broken := config.Init(settings.RESTClientGetter(), settings.Namespace(), "secrets")
	for each := range queue {
		err := broken
		if err == nil {
			err = upgrade(config, settings.Namespace(), loaded, each)
		}
		if err != nil {
			failures <- fmt.Errorf("%s: %w", each.release, err)
		}
	}
}

func upgrade(config *action.Configuration, namespace string, loaded *chart.Chart, each item) error {
	values, err := common.ReadValuesFile(each.values)
	if err != nil {
		return err
	}
	client := action.NewUpgrade(config)
	client.Namespace = namespace
	client.Timeout = 5 * time.Minute
	client.WaitStrategy = kube.HookOnlyStrategy
	client.MaxHistory = historyMax
	client.ResetValues = true
	client.DisableOpenAPIValidation = true
	_, err = client.Run(each.release, loaded, values)
	return err
}

func readItems(path string) ([]item, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var items []item
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		release, values, found := strings.Cut(lines.Text(), "\t")
		if !found {
			return nil, fmt.Errorf("%s: not a release, a tab and a file: %q", path, lines.Text())
		}
		items = append(items, item{release, values})
	}
	return items, lines.Err()
}
