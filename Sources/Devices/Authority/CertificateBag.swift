import SwiftASN1
import X509

/// Certificates and nothing else, as the `SignedData` of PKCS #7 (RFC 5652 section 5, "certs-only" of RFC 8551).
enum CertificateBag {
  private static let signedData: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 7, 2]
  private static let data: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 7, 1]

  /// DER.
  static func bytes(_ certificates: [Certificate]) throws(DeviceError) -> [UInt8] {
    try CertificateAuthority.made {
      let tag = ASN1Identifier(tagWithNumber: 0, tagClass: .contextSpecific)
      var der = DER.Serializer()
      try der.appendConstructedNode(identifier: .sequence) { content in
        try content.serialize(signedData)
        try content.appendConstructedNode(identifier: tag) { tagged in
          try tagged.appendConstructedNode(identifier: .sequence) { signed in
            try signed.serialize(1)
            try signed.appendConstructedNode(identifier: .set) { _ in }
            try signed.appendConstructedNode(identifier: .sequence) { try $0.serialize(data) }
            // A SET OF: in the order of their bytes (X.690 section 11.6).
            try signed.appendConstructedNode(identifier: tag) { set in
              for bytes in certificates.map(\.bytes).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                set.serializeRawBytes(bytes)
              }
            }
            try signed.appendConstructedNode(identifier: .set) { _ in }
          }
        }
      }
      return der.serializedBytes
    }
  }
}
