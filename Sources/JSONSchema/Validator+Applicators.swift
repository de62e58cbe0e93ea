import NGSI
import Patterns

// Words whose values hold schemas, or that judge arrays and objects.

// MARK: - Arrays

extension Validator {
  mutating func judgeArray(
    _ keyword: Keyword, _ node: Node, _ items: [JSON], _ path: ValuePath, _ own: inout Evaluated
  ) throws(SchemaError) -> Bool {
    switch keyword {
    case .itemCount(let bounds):
      return bounds.contains(items.count)
        || fail("items", path, "\(bounds.text) items", found: "\(items.count)")
    case .uniqueItems:
      try spend(items.count, node)
      return Set(items).count == items.count
        || fail("uniqueItems", path, "items that are all different", found: "some are the same")
    case .items(let prefix, let rest):
      var isValid = true
      for (index, item) in items.enumerated() {
        guard let schema = index < prefix.count ? prefix[index] : rest else { break }
        try spend(1, node)
        own.items = max(own.items, index + 1)
        if try !evaluate(schema, item, at: .item(index, of: path)) {
          isValid = false
          if isDone { return false }
        }
      }
      return isValid
    case .contains(let schema, let bounds, let marks):
      var count = 0
      for (index, item) in items.enumerated() {
        try spend(1, node)
        let itMatches = try quietly { v throws(SchemaError) in
          try v.evaluate(schema, item, at: .item(index, of: path))
        }
        guard itMatches else { continue }
        count += 1
        if marks { own.picked.insert(index) }
      }
      return bounds.contains(count)
        || fail("contains", path, "\(bounds.text) items of the form that 'contains' names", found: "\(count)")
    case .unevaluatedItems(let schema):
      var isValid = true
      for (index, item) in items.enumerated().dropFirst(own.items) where !own.picked.contains(index) {
        try spend(1, node)
        if try !evaluate(schema, item, at: .item(index, of: path)) {
          isValid = false
          if isDone { return false }
        }
      }
      own.items = items.count
      return isValid
    default: return true
    }
  }
}

// MARK: - Objects

extension Validator {
  mutating func judgeMembers(
    _ known: [String: Int], _ patterns: [(Pattern, Int)], _ additional: Int?, _ node: Node, _ object: JSONObject,
    _ path: ValuePath, _ own: inout Evaluated
  ) throws(SchemaError) -> Bool {
    var isValid = true
    for member in object {
      var schemas: [Int] = []
      if let schema = known[member.key] { schemas.append(schema) }
      for (pattern, schema) in patterns where try matches(pattern, member.key, node) { schemas.append(schema) }
      if schemas.isEmpty {
        guard let additional else { continue }
        schemas.append(additional)
      }
      if schema.tracks { own.names.insert(member.key) }
      for index in schemas {
        try spend(1, node)
        if try !evaluate(index, member.value, at: .member(member.key, of: path)) {
          isValid = false
          if isDone { return false }
        }
      }
    }
    return isValid
  }

  mutating func judgeObject(
    _ keyword: Keyword, _ node: Node, _ object: JSONObject, _ path: ValuePath, _ own: inout Evaluated
  ) throws(SchemaError) -> Bool {
    switch keyword {
    case .memberCount(let bounds):
      return bounds.contains(object.count)
        || fail("members", path, "\(bounds.text) members", found: "\(object.count)")
    case .required(let names):
      let missing = names.filter { !object.contains($0) }
      return missing.isEmpty
        || fail("required", path, "the member \(missing.map { "'\($0)'" }.joined(separator: ", "))", found: "none")
    case .dependentRequired(let rules):
      for (name, others) in rules where object.contains(name) {
        let missing = others.filter { !object.contains($0) }
        guard missing.isEmpty else {
          return fail(
            "dependentRequired", path, "with '\(name)' also \(missing.map { "'\($0)'" }.joined(separator: ", "))",
            found: "none")
        }
      }
      return true
    case .dependentSchemas(let rules):
      var isValid = true
      for (name, schema) in rules where object.contains(name) {
        if try !evaluate(schema, .object(object), at: path, &own) { isValid = false }
      }
      return isValid
    case .memberNames(let schema):
      var isValid = true
      for member in object {
        try spend(1, node)
        if try !evaluate(schema, .string(member.key), at: .member(member.key, of: path)) {
          isValid = false
          if isDone { return false }
        }
      }
      return isValid
    case .unevaluatedMembers(let schema):
      var isValid = true
      for member in object where !own.allNames && !own.names.contains(member.key) {
        try spend(1, node)
        if try !evaluate(schema, member.value, at: .member(member.key, of: path)) {
          isValid = false
          if isDone { return false }
        }
      }
      own.allNames = true
      return isValid
    default: return true
    }
  }
}

// MARK: - Combinations

extension Validator {
  mutating func judgeCombination(
    _ keyword: Keyword, _ value: JSON, _ path: ValuePath, _ own: inout Evaluated
  ) throws(SchemaError) -> Bool {
    switch keyword {
    case .allOf(let schemas):
      var isValid = true
      for schema in schemas where try !evaluate(schema, value, at: path, &own) {
        isValid = false
        if isDone { return false }
      }
      return isValid
    case .anyOf(let schemas):
      var matched = false
      for schema in schemas {
        if try quietly({ v throws(SchemaError) in try v.evaluate(schema, value, at: path, &own) }) {
          matched = true
          if !self.schema.tracks { return true }
        }
      }
      guard !matched else { return true }
      return failNearest("anyOf", schemas, "at least one of \(schemas.count) forms", value, path)
    case .oneOf(let schemas):
      var count = 0
      for schema in schemas {
        if try quietly({ v throws(SchemaError) in try v.evaluate(schema, value, at: path, &own) }) { count += 1 }
        if count > 1 {
          return fail("oneOf", path, "exactly one of \(schemas.count) forms", found: "several of them")
        }
      }
      guard count == 0 else { return true }
      return failNearest("oneOf", schemas, "one of \(schemas.count) forms", value, path)
    case .not(let schema):
      let isValid = try quietly { v throws(SchemaError) in try v.evaluate(schema, value, at: path) }
      return !isValid || fail("not", path, "not what 'not' names", value)
    case .condition(let condition, let then, let otherwise):
      let holds = try quietly { v throws(SchemaError) in try v.evaluate(condition, value, at: path, &own) }
      guard let next = holds ? then : otherwise else { return true }
      return try evaluate(next, value, at: path, &own)
    default: return true
    }
  }

  /// Tells which of several forms came nearest, by the place where it failed.
  private mutating func failNearest(
    _ keyword: String, _ schemas: [Int], _ expected: String, _ value: JSON, _ path: ValuePath
  ) -> Bool {
    guard reports, failures.count < schema.limits.failures else { return false }
    var nearest: SchemaFailure?
    let told = failures
    for index in schemas {
      failures = []
      // Where this takes too long, the failure is told without it.
      guard (try? evaluate(index, value, at: path)) != nil else { break }
      let first = failures.max { $0.pointer.utf8.count < $1.pointer.utf8.count }
      if let first, first.pointer.utf8.count > nearest?.pointer.utf8.count ?? -1 { nearest = first }
    }
    failures = told
    guard let nearest else { return fail(keyword, path, expected, value) }
    return fail(keyword, path, "\(expected); the nearest fails at \(nearest)", value)
  }
}
