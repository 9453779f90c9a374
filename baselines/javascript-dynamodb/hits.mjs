// The hit counter on DynamoDB: one item, one atomic write a hit.

import { DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";

const dynamodb = new DynamoDBClient();

export async function handler(event) {
  if (event.requestContext.http.method !== "GET") {
    return { statusCode: 405, headers: { Allow: "GET" } };
  }
  const { Attributes } = await dynamodb.send(
    new UpdateItemCommand({
      TableName: process.env.TABLE_NAME,
      // counter-dynamodb has item 0, the other baselines theirs.
      Key: { id: { N: "2" } },
      UpdateExpression: "ADD hits :one",
      ExpressionAttributeValues: { ":one": { N: "1" } },
      ReturnValues: "UPDATED_NEW",
    }),
  );
  return {
    statusCode: 200,
    headers: { "Content-Type": "text/plain", "Cache-Control": "no-store" },
    body: Attributes.hits.N,
  };
}
