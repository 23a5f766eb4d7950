// crdcheck gives the verdicts of Kubernetes' own validation code without a cluster: of a CustomResourceDefinition as
// the API server judges it on create, and of resources of that kind as it judges them on create and on update.
//
//	crdcheck CRD.yaml < requests.json > verdicts.json
//
// A request is {"object": "<YAML>"} or, for an update, {"object": "<YAML>", "old": "<YAML>"}. The verdict is the list of
// causes for which `kubectl apply` (field validation: strict) would be refused; an empty one means accepted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/yaml"
)

type request struct {
	Object string `json:"object"`
	Old    string `json:"old,omitempty"`
}

// cause is one line of a refusal.
type cause struct {
	Field  string `json:"field"`
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "crdcheck:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: crdcheck CRD.yaml < requests.json")
	}
	definition, err := loadDefinition(os.Args[1])
	if err != nil {
		return err
	}
	server, err := newServer(definition)
	if err != nil {
		return err
	}
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		return fmt.Errorf("reading requests: %w", err)
	}
	verdicts := make([][]cause, len(requests))
	for i, r := range requests {
		verdicts[i] = server.judge(r)
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

// loadDefinition reads a CustomResourceDefinition and refuses what the API server refuses on create: a schema that is not
// structural, a default that does not fit, a rule that does not compile or may cost too much.
func loadDefinition(path string) (*apiextensions.CustomResourceDefinition, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	versioned := &v1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(text, versioned); err != nil {
		return nil, err
	}
	scheme.Default(versioned)
	definition := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(versioned, definition, nil); err != nil {
		return nil, err
	}
	strategy := customresourcedefinition.NewStrategy(scheme)
	strategy.PrepareForCreate(context.Background(), definition)
	if refusals := strategy.Validate(context.Background(), definition); len(refusals) > 0 {
		return nil, refusals.ToAggregate()
	}
	return definition, nil
}

// server is what the API server keeps for one served version of a definition.
type server struct {
	kind       schema.GroupVersionKind
	structural *structuralschema.Structural
	strategy   strategy
}

type strategy interface {
	rest.RESTCreateStrategy
	rest.RESTUpdateStrategy
}

func newServer(definition *apiextensions.CustomResourceDefinition) (*server, error) {
	version := definition.Spec.Versions[0].Name
	properties, err := apiextensions.GetSchemaForVersion(definition, version)
	if err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(properties.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	whole, _, err := validation.NewSchemaValidator(properties.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	status := properties.OpenAPIV3Schema.Properties["status"]
	ofStatus, _, err := validation.NewSchemaValidator(&status)
	if err != nil {
		return nil, err
	}
	subresources, err := apiextensions.GetSubresourcesForVersion(definition, version)
	if err != nil {
		return nil, err
	}
	kind := schema.GroupVersionKind{Group: definition.Spec.Group, Version: version, Kind: definition.Spec.Names.Kind}
	return &server{kind, structural, customresource.NewStrategy(
		runtime.NewScheme(), true, kind, whole, ofStatus, structural, subresources.Status, subresources.Scale, nil,
	)}, nil
}

func (s *server) judge(r request) []cause {
	ctx := context.Background()
	object, causes := s.admit(r.Object)
	if object == nil || len(causes) > 0 {
		return causes
	}
	if r.Old == "" {
		if object.GetName() == "" && object.GetGenerateName() != "" {
			object.SetName(s.strategy.GenerateName(object.GetGenerateName()))
		}
		s.strategy.PrepareForCreate(ctx, object)
		return tell(s.strategy.Validate(ctx, object))
	}
	old, causes := s.admit(r.Old)
	if old == nil || len(causes) > 0 {
		return append(causes, cause{Field: "old", Type: "FieldValueInvalid", Detail: "the old object must be a good one"})
	}
	s.strategy.PrepareForUpdate(ctx, object, old)
	return tell(s.strategy.ValidateUpdate(ctx, object, old))
}

// admit does what the API server does before validation: parse strictly, name unknown fields, apply defaults.
func (s *server) admit(text string) (*unstructured.Unstructured, []cause) {
	document, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, []cause{{Type: "StrictDecoding", Detail: err.Error()}}
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(document); err != nil {
		return nil, []cause{{Type: "Decoding", Detail: err.Error()}}
	}
	if object.GroupVersionKind() != s.kind {
		return nil, []cause{{Field: "apiVersion", Type: "NoKindMatch", Detail: fmt.Sprintf("no such kind: %v", object.GroupVersionKind())}}
	}
	track := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	unknown := pruning.PruneWithOptions(object.Object, s.structural, true, track)
	var causes []cause
	for _, path := range unknown {
		causes = append(causes, cause{Field: path, Type: "StrictDecoding", Detail: fmt.Sprintf("unknown field %q", path)})
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object.Object, s.structural)
	defaulting.Default(object.Object, s.structural)
	object.SetNamespace("default")
	object.SetUID(types.UID("00000000-0000-0000-0000-000000000000"))
	object.SetResourceVersion("1")
	return object, causes
}

func tell(refusals field.ErrorList) []cause {
	causes := []cause{}
	for _, refusal := range refusals {
		causes = append(causes, cause{Field: refusal.Field, Type: string(refusal.Type), Detail: refusal.ErrorBody()})
	}
	return causes
}
