/// A refusal as a client hears it: RFC 9457 problem details with the types of ETSI GS CIM 009 clause 5.5.2 and 6.3.2.
public struct Problem: Error, Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case invalidRequest = "InvalidRequest"
    case unauthorized = "Unauthorized"
    case forbidden = "Forbidden"
    case badRequestData = "BadRequestData"
    case alreadyExists = "AlreadyExists"
    case operationNotSupported = "OperationNotSupported"
    case resourceNotFound = "ResourceNotFound"
    case internalError = "InternalError"
    case tooComplexQuery = "TooComplexQuery"
    case tooManyResults = "TooManyResults"
    case ldContextNotAvailable = "LdContextNotAvailable"
    case noMultiTenantSupport = "NoMultiTenantSupport"
    case nonexistentTenant = "NonexistentTenant"
    case conflict = "Conflict"
    case methodNotAllowed = "MethodNotAllowed"
    case notAcceptable = "NotAcceptable"
    case lengthRequired = "LengthRequired"
    case payloadTooLarge = "RequestEntityTooLarge"
    case unsupportedMediaType = "UnsupportedMediaType"
    case tooManyRequests = "TooManyRequests"
    case unavailable = "ServiceUnavailable"
    case badGateway = "BadGateway"
    case gatewayTimeout = "GatewayTimeout"
    case loopDetected = "LoopDetected"
  }

  public var kind: Kind
  /// One sentence that says what was found and what was expected.
  public var detail: String

  public init(_ kind: Kind, _ detail: String) {
    self.kind = kind
    self.detail = detail
  }

  public static func badRequest(_ detail: String) -> Problem { Problem(.badRequestData, detail) }
  public static func notFound(_ detail: String) -> Problem { Problem(.resourceNotFound, detail) }

  public var type: String { Core.namespace + "errors/" + kind.rawValue }

  public var title: String {
    switch kind {
    case .invalidRequest: "The request is not valid"
    case .unauthorized: "Somebody has to be logged in for this"
    case .forbidden: "This is not permitted"
    case .badRequestData: "The request holds data that does not meet the standard"
    case .alreadyExists: "It exists already"
    case .operationNotSupported: "The operation is not supported"
    case .resourceNotFound: "It is not known here"
    case .internalError: "The hub failed"
    case .tooComplexQuery: "The query is too complex"
    case .tooManyResults: "The query has too many results"
    case .ldContextNotAvailable: "A JSON-LD context could not be had"
    case .noMultiTenantSupport: "There is one tenant only"
    case .nonexistentTenant: "The tenant does not exist"
    case .conflict: "It conflicts with what is stored"
    case .methodNotAllowed: "The method does not apply here"
    case .notAcceptable: "None of the accepted media types can be given"
    case .lengthRequired: "The length of the body is required"
    case .payloadTooLarge: "The body is too large"
    case .unsupportedMediaType: "The media type is not supported"
    case .tooManyRequests: "Too many requests"
    case .unavailable: "The hub cannot take this now"
    case .badGateway: "A context source could not do its part"
    case .gatewayTimeout: "A context source did not answer in time"
    case .loopDetected: "The request runs in a circle"
    }
  }

  /// HTTP status of clause 6.3.2.
  public var status: Int {
    switch kind {
    case .invalidRequest, .badRequestData: 400
    case .resourceNotFound, .nonexistentTenant: 404
    case .methodNotAllowed: 405
    case .notAcceptable: 406
    case .alreadyExists, .conflict: 409
    case .lengthRequired: 411
    case .payloadTooLarge: 413
    case .unsupportedMediaType: 415
    case .operationNotSupported: 422
    case .tooManyRequests: 429
    case .internalError: 500
    case .noMultiTenantSupport: 501
    case .unauthorized: 401
    case .tooComplexQuery, .tooManyResults, .forbidden: 403
    case .unavailable: 503
    case .badGateway: 502
    case .ldContextNotAvailable, .gatewayTimeout: 504
    case .loopDetected: 508
    }
  }

  public var json: JSON {
    ["type": .string(type), "title": .string(title), "detail": .string(detail), "status": .integer(Int64(status))]
  }
}
