import NGSI

/// A JSON Schema that is ready to judge values: drafts 7, 2019-09 and 2020-12, as `$schema` says (2020-12 without it).
///
/// ```swift
/// let schema = try Schema(document, documents: ["https://example.org/common.json": common])
/// let verdict = try schema.validate(value)
/// ```
///
/// Nothing is ever fetched: a `$ref` leads into the document itself or into one that is given with it. `format` is
/// asserted in every draft. Words of an older draft that a newer one only renamed (`definitions`, an array of `items`,
/// `additionalItems`, `dependencies`) are understood in all: schemas in the wild mix them.
///
/// Source: draft-bhutton-json-schema-01 and draft-bhutton-json-schema-validation-01 (2020-12), their 2019-09
/// predecessors, draft-handrews-json-schema-01 (7).
public struct Schema: Sendable {
  /// What a schema and a judgement with it may cost.
  public struct Limits: Sendable {
    /// Schemas inside one another that one document and those it refers to may have.
    public var nodes = 20_000
    /// Keywords that one judgement may carry out; a search for a pattern counts by the length of its text.
    public var work = 500_000
    /// Schemas that may be under way inside one another.
    public var depth = 256
    /// Failures that a verdict names.
    public var failures = 20

    public init() {}
  }

  let nodes: [Node]
  let resources: [Resource]
  let root: Int
  let tracks: Bool
  let limits: Limits

  /// - Parameters:
  ///   - documents: schemas that `$ref` may name, by absolute URI without a fragment.
  /// - Throws: ``SchemaError`` that says where the schema is wrong: a keyword's value, a `$ref` that leads nowhere, a
  ///   pattern that cannot be compiled, too many schemas.
  public init(_ document: JSON, documents: [String: JSON] = [:], limits: Limits = Limits()) throws(SchemaError) {
    var registry = SchemaRegistry(given: documents, limits)
    let place = try registry.add(document, as: "urn:madang:schema")
    var compiler = SchemaCompiler(registry: registry, limits: limits)
    root = try compiler.compileAll(from: place)
    nodes = compiler.nodes
    resources = compiler.resources
    tracks = compiler.tracksEvaluation
    self.limits = limits
  }

  /// Judges a value.
  ///
  /// - Returns: what is wrong with it, at most ``Limits/failures`` of it; nothing when the value is valid.
  /// - Throws: ``SchemaError`` when the judgement costs more than it may.
  public func validate(_ value: JSON) throws(SchemaError) -> [SchemaFailure] {
    var validator = Validator(schema: self, reports: true)
    do throws(SchemaError) {
      _ = try validator.evaluate(root, value, at: .root)
    } catch {
      guard validator.failures.isEmpty else { return validator.failures }
      throw error
    }
    return validator.failures
  }

  /// Whether the value is valid; cheaper than ``validate(_:)`` for values that are not.
  public func accepts(_ value: JSON) throws(SchemaError) -> Bool {
    var validator = Validator(schema: self, reports: false)
    return try validator.evaluate(root, value, at: .root)
  }
}

/// Why a schema cannot be used, or a judgement not be finished.
public struct SchemaError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Where in the schema: the document's URI and a JSON Pointer (RFC 6901) as its fragment.
  public var location: String
  public var detail: String

  public var description: String { "\(location): \(detail)" }
}

/// One thing that is wrong with a value.
public struct SchemaFailure: Sendable, Hashable, CustomStringConvertible {
  /// Where in the value, as a JSON Pointer; empty for the whole.
  public var pointer: String
  public var keyword: String
  /// What the schema asks for.
  public var expected: String
  /// What is there, cut short.
  public var found: String

  public var description: String {
    "\(pointer.isEmpty ? "the whole" : "'\(pointer)'"): expected \(expected), found \(found)"
  }
}
