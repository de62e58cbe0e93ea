/// Parameters of Merge Entity (clauses 5.6.17 and 6.4.3.4).
public struct MergeOptions: Sendable, Hashable {
  public var overwrite: Bool
  /// Time for merged attributes that have an `observedAt` and are given none.
  public var observedAt: DateTime?
  /// Language that a plain string sets in an existing LanguageProperty (RFC 5646 tag).
  public var language: String?

  public init(overwrite: Bool = true, observedAt: DateTime? = nil, language: String? = nil) {
    self.overwrite = overwrite
    self.observedAt = observedAt
    self.language = language
  }
}

extension Entity {
  /// Merge Entity (clauses 5.6.17 and 5.5.12): merges to any depth; NGSI-LD Null takes away what it stands for.
  ///
  /// Read the fragment with the rules `.null` and `.nestedNull`. A Null for something that is not there changes
  /// nothing, as in RFC 7396. What cannot be merged (a plain text into a Relationship, a member for an attribute that
  /// does not exist) is reported as not updated.
  /// - Throws: ``Problem`` when the fragment is of another entity.
  public func merging(_ fragment: EntityFragment, _ options: MergeOptions = MergeOptions(), at now: DateTime)
    throws(Problem) -> EntityUpdate
  {
    try expectSameId(fragment)
    var editor = EntityEditor(self, at: now)
    for set in fragment.attributes {
      for instance in set.instances { merge(instance, name: set.name, options, &editor) }
    }
    editor.addTypes(fragment.types)
    applyScopes(fragment.scopes, overwrite: options.overwrite, to: &editor)
    if options.overwrite || expiresAt == nil { editor.setExpiresAt(fragment.expiresAt) }
    return editor.finish()
  }

  private func merge(
    _ fragment: AttributeFragment, name: String, _ options: MergeOptions, _ editor: inout EntityEditor
  ) {
    guard let old = editor.instance(name, datasetId: fragment.datasetId) else {
      guard !fragment.isDeletion else { return }
      do { editor.put(try fragment.withoutNulls().attribute(named: name), name: name) } catch {
        editor.refuse(name, error.detail)
      }
      return
    }
    guard options.overwrite else {
      editor.refuse(name, "it exists already and overwriting is not allowed")
      return
    }
    guard !fragment.isDeletion else {
      editor.delete(name, datasetId: fragment.datasetId)
      return
    }
    do {
      guard var new = try old.merged(with: fragment, language: options.language, named: name) else {
        editor.delete(name, datasetId: fragment.datasetId)
        return
      }
      if let observedAt = options.observedAt, old.observedAt != nil, fragment.observedAt == .unchanged {
        new.observedAt = observedAt
      }
      editor.put(new, name: name)
    } catch {
      editor.refuse(name, error.detail)
    }
  }
}

// MARK: - One instance

extension Attribute {
  /// Clause 5.5.8: given members overwrite, sub-attributes as wholes.
  func overwritten(by fragment: AttributeFragment, named name: String) throws(Problem) -> Attribute {
    var new = self
    if case .set(let value) = fragment.value {
      if fragment.isBare {
        new.value = try value.fitting(kind, language: nil, over: self.value, named: name)
      } else {
        try expectKind(of: fragment, named: name)
        new.value = try value.fitting(kind, named: name)
      }
    } else {
      try expectKind(of: fragment, named: name)
    }
    new.applyMembers(of: fragment)
    for set in fragment.subAttributes {
      var target = new[subAttribute: set.name] ?? AttributeSet(name: set.name, instances: [])
      for instance in set.instances {
        let place = target.instances.firstIndex { $0.datasetId == instance.datasetId }
        if instance.isDeletion {
          if let place { target.instances.remove(at: place) }
        } else {
          let attribute = try instance.attribute(named: set.name)
          if let place { target.instances[place] = attribute } else { target.instances.append(attribute) }
        }
      }
      new[subAttribute: set.name] = target.instances.isEmpty ? nil : target
    }
    return new
  }

  /// Clause 5.5.12: members merge to any depth. `nil` when nothing is left of the value.
  func merged(with fragment: AttributeFragment, language: String?, named name: String) throws(Problem) -> Attribute? {
    var new = self
    if case .set(let value) = fragment.value {
      if fragment.isBare {
        new.value = try value.fitting(kind, language: language, over: self.value, named: name)
          .mergedInto(self.value, kind: kind)
      } else if fragment.kind == kind || !fragment.kindIsStated && fragment.kind?.valueMember == kind.valueMember {
        new.value = try value.fitting(kind, named: name).mergedInto(self.value, kind: kind)
      } else if let otherKind = fragment.kind {
        new.changeKind(to: otherKind, value: value.withoutNulls())
      }
      if kind == .languageProperty, new.value == .object(JSONObject()) { return nil }
    }
    new.applyMembers(of: fragment)
    for set in fragment.subAttributes {
      var target = new[subAttribute: set.name] ?? AttributeSet(name: set.name, instances: [])
      for instance in set.instances {
        let place = target.instances.firstIndex { $0.datasetId == instance.datasetId }
        switch (place, instance.isDeletion) {
        case (let place?, true): target.instances.remove(at: place)
        case (nil, true): break
        case (nil, false): target.instances.append(try instance.withoutNulls().attribute(named: set.name))
        case (let place?, false):
          let old = target.instances[place]
          if let merged = try old.merged(with: instance, language: language, named: set.name) {
            target.instances[place] = merged
          } else {
            target.instances.remove(at: place)
          }
        }
      }
      new[subAttribute: set.name] = target.instances.isEmpty ? nil : target
    }
    return new
  }

  private func expectKind(of fragment: AttributeFragment, named name: String) throws(Problem) {
    guard let other = fragment.kind, other != kind else { return }
    if !fragment.kindIsStated, other.valueMember == kind.valueMember { return }
    throw .badRequest("the attribute \(name) is a \(kind.rawValue); it cannot become a \(other.rawValue) here")
  }

  private mutating func applyMembers(of fragment: AttributeFragment) {
    observedAt = fragment.observedAt.applied(to: observedAt)
    unitCode = fragment.unitCode.applied(to: unitCode)
    valueType = fragment.valueType.applied(to: valueType)
    objectType = fragment.objectType.applied(to: objectType) ?? []
    expiresAt = fragment.expiresAt.applied(to: expiresAt)
  }

  /// Members that belong to the old kind of value go with it.
  private mutating func changeKind(to kind: AttributeKind, value: JSON) {
    self.kind = kind
    self.value = value
    unitCode = nil
    valueType = nil
    objectType = []
  }
}

// MARK: - Values

extension JSON {
  /// A value given for an attribute whose kind is already known, checked against that kind.
  fileprivate func fitting(_ kind: AttributeKind, named name: String) throws(Problem) -> JSON {
    if kind == .geoProperty, let failure = Geometry.failure(of: self) {
      throw .badRequest("the attribute \(name) is a GeoProperty: \(failure)")
    }
    return self
  }

  /// A value that came without its attribute object (simplified or concise form): the existing kind is kept.
  fileprivate func fitting(_ kind: AttributeKind, language: String?, over old: JSON, named name: String)
    throws(Problem) -> JSON
  {
    func failure(_ expected: String) -> Problem {
      .badRequest("the attribute \(name) is a \(kind.rawValue): \(expected) is expected")
    }
    switch kind {
    case .property: return self
    case .geoProperty: return try fitting(kind, named: name)
    case .relationship, .listRelationship:
      guard kind == .relationship || array != nil, !items.isEmpty,
        items.allSatisfy({ $0.string.map(IRI.isAbsolute) ?? false })
      else { throw failure(kind == .relationship ? "a URI or an array of URIs" : "an array of URIs") }
      return self
    case .listProperty:
      guard array != nil else { throw failure("an array") }
      return self
    case .languageProperty:
      guard let language, !items.isEmpty, items.allSatisfy({ $0.string != nil }), EntityReader.isLanguageTag(language)
      else { throw failure("a languageMap, or a text together with the parameter 'lang',") }
      return .object(JSONObject(uniqueMembers: [JSONObject.Member(key: language, value: self)]))
    case .vocabProperty: throw failure("an object with 'vocab'")
    case .jsonProperty: throw failure("an object with 'json'")
    }
  }

  fileprivate func mergedInto(_ old: JSON, kind: AttributeKind) -> JSON {
    switch kind {
    case .property, .jsonProperty, .languageProperty: old.merging(patch: self)
    case .geoProperty, .relationship, .vocabProperty, .listProperty, .listRelationship: self
    }
  }

  /// JSON Merge Patch (RFC 7396 section 2) with NGSI-LD Null in the place of `null`.
  public func merging(patch: JSON) -> JSON {
    guard case .object(let changes) = patch else { return patch }
    var merged: [JSONObject.Member] = []
    let target = object ?? JSONObject()
    merged.reserveCapacity(target.count + changes.count)
    for member in target.members {
      guard let change = changes[member.key] else {
        merged.append(member)
        continue
      }
      if change == .string(Core.null) { continue }
      merged.append(JSONObject.Member(key: member.key, value: member.value.merging(patch: change)))
    }
    for change in changes.members where change.value != .string(Core.null) && !target.contains(change.key) {
      merged.append(JSONObject.Member(key: change.key, value: JSON.null.merging(patch: change.value)))
    }
    return .object(JSONObject(uniqueMembers: merged))
  }

  /// What merging this into nothing leaves.
  fileprivate func withoutNulls() -> JSON { JSON.null.merging(patch: self) }
}

extension AttributeFragment {
  fileprivate func withoutNulls() -> AttributeFragment {
    var fragment = self
    fragment.value = value.map { $0.withoutNulls() }
    fragment.subAttributes = subAttributes.compactMap { set in
      let kept = set.instances.filter { !$0.isDeletion }.map { $0.withoutNulls() }
      return kept.isEmpty ? nil : AttributeSetFragment(name: set.name, instances: kept)
    }
    return fragment
  }
}
